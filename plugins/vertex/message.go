package main

import (
	"bytes"
	"encoding/json"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// unmarshalJSON reads a message as the REST API takes it; fields that it does
// not have are an error.
func unmarshalJSON(text []byte, into proto.Message) error {
	return protojson.UnmarshalOptions{DiscardUnknown: false}.Unmarshal(text, into)
}

// protoError is the text of an error of protojson without its random blanks.
func protoError(err error) string {
	text := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	return strings.TrimPrefix(strings.TrimPrefix(text, "proto: "), "proto:  ")
}

// clash is the name of a field of more that stephost owns: one that spec has
// set, or one of those that a job's life hangs on.
func clash(spec, more proto.Message) string {
	name := ""
	own := spec.ProtoReflect()
	more.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		switch f.Name() {
		case "worker_pool_specs", "scheduling", "base_output_directory":
			name = string(f.Name())
		default:
			if own.Has(f) {
				name = string(f.Name())
			}
		}
		return name == ""
	})
	return name
}

// compactJSON is a message as JSON on one line, the same each time.
func compactJSON(m proto.Message) string {
	text, err := protojson.Marshal(m)
	if err != nil {
		return ""
	}
	var out bytes.Buffer
	if json.Compact(&out, text) != nil {
		return string(text)
	}
	return out.String()
}
