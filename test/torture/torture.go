package torture

import "testing"

// Run tortures f: the host and the plugin die at every boundary, a cancel comes
// at every boundary, and, where a lost answer can be made good, both die at
// random. Main must have built the programs.
func Run(t *testing.T, f Flavor) {
	free := newSlots()
	t.Run("HostDies", func(t *testing.T) { hostDies(t, &f, free) })
	t.Run("PluginDies", func(t *testing.T) { pluginDies(t, &f, free) })
	if f.Idempotency == None {
		return // whoever dies in a Submit leaves it unknown: nothing to come through
	}
	t.Run("Cancel", func(t *testing.T) { cancels(t, &f, free) })
	t.Run("Random", func(t *testing.T) { random(t, free, f) })
}
