package plugintest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	// maxChunk is the contract's limit for the data of one message.
	maxChunk = 1 << 20
	// noOutputs is how scriptOutputs says that it has no directory for outputs.
	noOutputs = 9
	// outputOffset is where a read goes on: in the middle of a message.
	outputOffset = 1_000_003
)

func outputChecks() []check {
	can := []string{"read_output"}
	return []check{
		{id: "output.whole", says: "what a step left is listed, and each file is read whole, again, and from an offset", full: true, can: can, jobs: 1, run: (*suite).checkOutputWhole},
		{id: "output.refused", says: "an output of another job, a name that leads out of an output and a file that is not there are errors, never a file", full: true, can: can, jobs: 1, run: (*suite).checkOutputRefused},
	}
}

// outputFile is a file of an output, by the place where the host would put it.
type outputFile struct {
	location, place string
	file            *operatorv1.OutputFile
}

// transfer is what one ReadOutput brought.
type transfer struct {
	files []*operatorv1.OutputFile
	data  bytes.Buffer
	done  bool
	diags []*operatorv1.Diagnostic
}

// outputsOf runs a step that leaves files, and lists them.
func (s *suite) outputsOf(ctx context.Context) (*process, *job, []outputFile, error) {
	p, j, err := s.begin(ctx, scriptOutputs)
	if err != nil {
		return nil, nil, nil, err
	}
	end, err := j.verdict(ctx, p)
	switch {
	case err != nil:
		return nil, nil, nil, err
	case end.GetExitCode() == noOutputs:
		return nil, nil, nil, absent("needs a step that can write to STEPHOST_OUTPUT_DIR")
	case end.GetPhase() != operatorv1.Phase_PHASE_SUCCEEDED:
		return nil, nil, nil, fmt.Errorf("the verdict is %s, expected SUCCEEDED", terminalText(end))
	case len(end.GetOutputs()) == 0:
		return nil, nil, nil, errors.New("the terminal event tells no outputs of a step that left files")
	}
	var files []outputFile
	for _, o := range end.GetOutputs() {
		t, err := j.read(ctx, p, o.GetLocation(), nil)
		switch {
		case err != nil:
			return nil, nil, nil, fmt.Errorf("listing %s: %w", printable(o.GetLocation(), maxWord), err)
		case !t.done:
			return nil, nil, nil, fmt.Errorf("listing %s: %s", printable(o.GetLocation(), maxWord), describe(t.diags))
		case t.data.Len() > 0:
			return nil, nil, nil, errors.New("a list has bytes of files")
		case o.GetBytes() >= 0 && (len(t.files) != 1 || t.files[0].GetName() != ""):
			return nil, nil, nil, fmt.Errorf("%s has a size, so it is one file, and its name in the list must be empty", printable(o.GetLocation(), maxWord))
		}
		for _, f := range t.files {
			files = append(files, outputFile{location: o.GetLocation(), place: path.Join(o.GetName(), f.GetName()), file: f})
		}
	}
	return p, j, files, nil
}

// read makes one ReadOutput; r = nil lists.
func (j *job) read(ctx context.Context, p *process, location string, r *operatorv1.ReadOutputRequest_Read) (*transfer, error) {
	ctx, cancel := context.WithTimeout(ctx, j.s.c.JobTimeout)
	defer cancel()
	q := &operatorv1.ReadOutputRequest{Target: j.s.target(), Handle: j.handle, Key: j.step.Key, Location: location,
		What: &operatorv1.ReadOutputRequest_List_{List: &operatorv1.ReadOutputRequest_List{}}}
	if r != nil {
		q.What = &operatorv1.ReadOutputRequest_Read_{Read: r}
	}
	stream, err := p.client.ReadOutput(ctx, q)
	if err != nil {
		return nil, j.s.transport(ctx, "ReadOutput", err)
	}
	t := &transfer{}
	for {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) && !t.done && len(onlyErrors(t.diags)) == 0:
			return t, errors.New("the stream ended with neither done, nor could_not_ask, nor an error diagnostic")
		case errors.Is(err, io.EOF):
			return t, nil
		case err != nil:
			return t, j.s.transport(ctx, "ReadOutput", err)
		case t.done:
			return t, errors.New("something follows done")
		case m.GetCouldNotAsk() != nil:
			return t, errors.New(describeAsk(m.GetCouldNotAsk()))
		case len(m.GetData()) > maxChunk:
			return t, fmt.Errorf("a message has %d bytes of data, more than 1 MiB", len(m.GetData()))
		case m.GetData() != nil && len(t.files) == 0:
			return t, errors.New("bytes come before the file that they are of")
		}
		if m.GetFile() != nil {
			t.files = append(t.files, m.GetFile())
		}
		t.data.Write(m.GetData())
		t.done = m.GetDone() != nil
		t.diags = append(t.diags, m.GetDiagnostics()...)
		if t.data.Len() == 0 {
			j.s.spoken = append(j.s.spoken, fmt.Sprint(m))
		}
	}
}

func (s *suite) checkOutputWhole(ctx context.Context) error {
	p, j, files, err := s.outputsOf(ctx)
	if err != nil {
		return err
	}
	var numbers strings.Builder
	for i := 1; i <= 400000; i++ {
		fmt.Fprintln(&numbers, i)
	}
	for place, want := range map[string]string{"deep/er/numbers": numbers.String(), "small": "x"} {
		var f *outputFile
		for i := range files {
			// A flavor may put a directory of its own around the outputs.
			if files[i].place == place || strings.HasSuffix(files[i].place, "/"+place) {
				f = &files[i]
			}
		}
		if f == nil {
			return fmt.Errorf("the file %s is not listed", place)
		}
		if n := f.file.GetBytes(); n >= 0 && n != int64(len(want)) {
			return fmt.Errorf("%s is listed with %d bytes, it has %d", place, n, len(want))
		}
		for _, time := range []string{"the first time", "the second time"} {
			if err := j.readRest(ctx, p, f, want, 0, ""); err != nil {
				return fmt.Errorf("reading %s %s: %w", place, time, err)
			}
		}
		if len(want) < outputOffset {
			continue
		}
		if err := j.readRest(ctx, p, f, want, outputOffset, f.file.GetVersion()); err != nil {
			return fmt.Errorf("reading %s from byte %d: %w", place, outputOffset, err)
		}
		if f.file.GetVersion() != "" {
			if err := j.readRest(ctx, p, f, want, outputOffset, "of-another-version"); err != nil {
				return fmt.Errorf("reading %s from byte %d of another version: %w", place, outputOffset, err)
			}
		}
	}
	return nil
}

// readRest demands what stands in a file behind an offset.
func (j *job) readRest(ctx context.Context, p *process, f *outputFile, want string, offset int64, version string) error {
	t, err := j.read(ctx, p, f.location, &operatorv1.ReadOutputRequest_Read{Name: f.file.GetName(), Offset: offset, Version: version})
	switch {
	case err != nil:
		return err
	case !t.done:
		return errors.New(describe(t.diags))
	case len(t.files) != 1:
		return fmt.Errorf("%d messages have `file`, expected one", len(t.files))
	}
	from := t.files[0].GetOffset()
	if from != 0 && (from != offset || version != f.file.GetVersion()) {
		return fmt.Errorf("its bytes are said to begin at %d", from)
	}
	if got := t.data.String(); got != want[from:] {
		return fmt.Errorf("%d bytes arrived that are not the %d of the file from byte %d", len(got), len(want[from:]), from)
	}
	return nil
}

func (s *suite) checkOutputRefused(ctx context.Context) error {
	p, j, files, err := s.outputsOf(ctx)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("no file is listed")
	}
	at := files[0].location
	other := strings.ReplaceAll(at, j.step.Key, strings.Repeat("x", len(j.step.Key)))
	if other == at {
		other = at + "-of-another-job"
	}
	none := &operatorv1.ReadOutputRequest_Read{Name: files[0].file.GetName()}
	for what, c := range map[string]struct {
		location string
		read     *operatorv1.ReadOutputRequest_Read
	}{
		"the list of another job's output": {other, nil},
		"a file of another job's output":   {other, none},
		"a name that leads out of it":      {at, &operatorv1.ReadOutputRequest_Read{Name: "../../" + path.Base(at)}},
		"an absolute name":                 {at, &operatorv1.ReadOutputRequest_Read{Name: "/etc/hostname"}},
		"a file that is not there":         {at, &operatorv1.ReadOutputRequest_Read{Name: "no/such/file"}},
	} {
		t, err := j.read(ctx, p, c.location, c.read)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if t.done || t.data.Len() > 0 {
			return fmt.Errorf("%s was not refused", what)
		}
	}
	return nil
}
