package pluginsdk

import (
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

type nested struct {
	Key  string   `stephost:"key"`
	List []string `stephost:"list"`
}

type embedded struct {
	Region string `stephost:"region"`
}

type everything struct {
	embedded
	Text    string            `stephost:"text"`
	Flag    bool              `stephost:"flag"`
	Int     int64             `stephost:"int"`
	Small   int8              `stephost:"small"`
	Uint    uint              `stephost:"uint"`
	Float   float64           `stephost:"float"`
	Big     *big.Int          `stephost:"big"`
	Opt     *string           `stephost:"opt"`
	Wait    time.Duration     `stephost:"wait"`
	Tags    map[string]string `stephost:"tags"`
	Tol     []nested          `stephost:"tol"`
	Any     any               `stephost:"any"`
	Raw     json.RawMessage   `stephost:"raw"`
	Secret  Secret            `stephost:"secret"`
	Secret2 *Secret           `stephost:"secret2"`
	Ignored string
}

const everythingJSON = `{"any":{"n":9007199254740993},"big":123456789012345678901234567890,"flag":true,"float":0.5,` +
	`"int":9007199254740993,"opt":null,"raw":[1,2],"region":"eu","small":-1.28e2,"tags":{"a":"b"},"text":"\u00e9","tol":[{"key":"k","list":["x"]}],` +
	`"uint":1e3,"wait":"90s"}`

func TestDecode(t *testing.T) {
	got := everything{Opt: new(string)}
	err := decodeValues(&operatorv1.Values{
		Json: []byte(everythingJSON), Secrets: map[string]*operatorv1.Secret{"secret": {Value: "s3cret"}}}, "config", &got)
	require.NoError(t, err)
	assert.Equal(t, "eu", got.Region)
	assert.Equal(t, "é", got.Text)
	assert.True(t, got.Flag)
	assert.Equal(t, int64(9007199254740993), got.Int, "beyond 2^53")
	assert.Equal(t, int8(-128), got.Small)
	assert.Equal(t, uint(1000), got.Uint)
	assert.InDelta(t, 0.5, got.Float, 0)
	assert.Equal(t, "123456789012345678901234567890", got.Big.String())
	assert.Nil(t, got.Opt, "null")
	assert.Equal(t, 90*time.Second, got.Wait)
	assert.Equal(t, map[string]string{"a": "b"}, got.Tags)
	assert.Equal(t, []nested{{Key: "k", List: []string{"x"}}}, got.Tol)
	assert.Equal(t, map[string]any{"n": json.Number("9007199254740993")}, got.Any)
	assert.JSONEq(t, `[1,2]`, string(got.Raw))
	assert.Equal(t, "s3cret", got.Secret.Reveal())
	assert.Nil(t, got.Secret2)
}

func TestDecodeErrors(t *testing.T) {
	type one struct {
		A int8 `stephost:"a"`
	}
	type object struct {
		A nested `stephost:"a"`
	}
	type channel struct {
		A chan int `stephost:"a"`
	}
	tests := map[string]struct {
		json    string
		secrets map[string]*operatorv1.Secret
		into    any
		want    string
		class   Class
	}{
		"unknown attribute": {`{"a":1,"b":2}`, nil, &one{}, `"b"`, ClassSystem},
		"missing attribute": {`{}`, nil, &one{}, "the manifest has no such attribute", ClassSystem},
		"overflow":          {`{"a":128}`, nil, &one{}, "config.a must be a smaller number", ClassConfig},
		"fraction":          {`{"a":1.5}`, nil, &one{}, "config.a must be a whole number", ClassConfig},
		"string":            {`{"a":"1"}`, nil, &one{}, "config.a must be a whole number", ClassConfig},
		"huge exponent":     {`{"a":1e999999999}`, nil, &one{}, "config.a must be a whole number", ClassConfig},
		"deep unknown":      {`{"a":{"key":"k","lost":1,"list":[]}}`, nil, &object{}, `"a.lost"`, ClassSystem},
		"deep type":         {`{"a":{"key":"k","list":["x",2]}}`, nil, &object{}, "config.a.list.1 must be a string", ClassConfig},
		"secret in plain":   {`{}`, map[string]*operatorv1.Secret{"a": {Value: "x"}}, &one{}, "pluginsdk.Secret", ClassSystem},
		"unknown secret":    {`{"a":1}`, map[string]*operatorv1.Secret{"b": {Value: "x"}}, &one{}, `"b"`, ClassSystem},
		"not an object":     {`[]`, nil, &one{}, "not a JSON object", ClassSystem},
		"two values":        {`{"a":1}{}`, nil, &one{}, "behind the JSON value", ClassSystem},
		"odd type":          {`{"a":1}`, nil, &channel{}, "cannot decode", ClassSystem},
		"no pointer":        {`{}`, nil, one{}, "pointer to a struct", ClassSystem},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			err := decodeValues(&operatorv1.Values{Json: []byte(tc.json), Secrets: tc.secrets}, "config", tc.into)
			require.ErrorContains(t, err, tc.want)
			assert.Equal(t, tc.class, classOf(err))
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(everythingJSON))
	f.Add([]byte(`{"tol":[null,{}]}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		var into everything
		_ = decodeValues(&operatorv1.Values{Json: data}, "config", &into)
	})
}
