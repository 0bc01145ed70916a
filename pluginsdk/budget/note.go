package budget

import "github.com/stephost/stephost/pluginsdk"

// Note says for doctor how many calls may be made, by which attribute, and how
// much of it is left in this process.
func (b *Budget) Note(what, attribute string) error {
	return pluginsdk.Note("config."+attribute, "%s: at most %d calls a minute (%s); %d of the %d that may be made at once are left",
		what, b.PerMinute(), attribute, b.Left(), b.Most())
}
