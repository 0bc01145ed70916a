// Command digits is a training step that needs nothing of its image: it learns a
// mean picture of each digit from a file of its source, tells its accuracy, and
// leaves a model in its output directory.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
)

type picture struct {
	Label  int       `json:"label"`
	Pixels []float64 `json:"pixels"`
}

func main() {
	epochs := flag.Int("epochs", 1, "")
	flag.Parse()
	if err := train(*epochs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func train(epochs int) error {
	text, err := os.ReadFile("digits.json")
	if err != nil {
		return err
	}
	var pictures []picture
	if err := json.Unmarshal(text, &pictures); err != nil {
		return err
	}
	means := map[int][]float64{}
	for epoch := 1; epoch <= epochs; epoch++ {
		loss := 0.0
		for _, p := range pictures {
			if means[p.Label] == nil {
				means[p.Label] = make([]float64, len(p.Pixels))
			}
			for i, v := range p.Pixels {
				d := v - means[p.Label][i]
				means[p.Label][i] += d / 2
				loss += d * d
			}
		}
		fmt.Printf("epoch %d/%d loss %.4f\n", epoch, epochs, loss)
	}
	right := 0
	for _, p := range pictures {
		if nearest(means, p.Pixels) == p.Label {
			right++
		}
	}
	model, err := json.Marshal(means)
	if err != nil {
		return err
	}
	dir := os.Getenv("STEPHOST_OUTPUT_DIR")
	if err := os.WriteFile(filepath.Join(dir, "model.json"), model, 0o600); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "model: %s\n", os.Getenv("STEPHOST_OUTPUT_URI"))
	fmt.Printf("::stephost value accuracy=%.2f\n", float64(right)/float64(len(pictures)))
	return nil
}

func nearest(means map[int][]float64, pixels []float64) int {
	best, least := -1, math.Inf(1)
	for label, mean := range means {
		sum := 0.0
		for i, v := range pixels {
			sum += (v - mean[i]) * (v - mean[i])
		}
		if sum < least {
			best, least = label, sum
		}
	}
	return best
}
