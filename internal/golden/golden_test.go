package golden

import "testing"

func TestKeep(t *testing.T) {
	for _, test := range []struct {
		name, got, want string
		same            bool
	}{
		{"the same", `{"a": [1, 2.5, null, true, "x"]}`, `{"a": [1, 2.5, null, true, "x"]}`, true},
		{"the last digits", `{"a": [1, {"b": 0.18957642576526604}]}`, `{"a": [1, {"b": 0.189576425765266}]}`, true},
		{"the last digits of many", `[0.1000000000000001, -2.0000000000000004]`, `[0.1, -2.0]`, true},
		{"small numbers", `[1e-30]`, `[1.0000000000000002e-30]`, true},
		{"a share of 1 that rounding takes below it", `{"a": 0.9999999999999999}`, `{"a": 1}`, true},
		{"in another notation", `[1e3, 0.00001]`, `[1000, 1e-5]`, true},
		{"the ninth digit", `{"a": 0.100000001}`, `{"a": 0.1}`, false},
		{"just beyond the tolerance", `[1.0000000011]`, `[1.0]`, false},
		{"just within it", `[1.0000000009]`, `[1.0]`, true},
		{"whole numbers", `[9007199254740993]`, `[9007199254740992]`, false},
		{"large whole numbers one apart", `[10000000000001]`, `[10000000000000]`, false},
		{"a residue for nothing", `[1e-17]`, `[0]`, false},
		{"the other sign", `[-0.5]`, `[0.5]`, false},
		{"null for a number", `[null]`, `[0.5]`, false},
		{"a text for a number", `["0.5"]`, `[0.5]`, false},
		{"numbers in a text", `["0.50000000000000001"]`, `["0.5"]`, false},
		{"a fraction too large to be one", `[1.5e999]`, `[1.6e999]`, false},
		{"another key", `{"b": 0.5}`, `{"a": 0.5}`, false},
		{"a key that looks like a path", `{"a/b": 0.5000000000000001}`, `{"a": {"b": 0.5}}`, false},
		{"another order of keys", `{"b": 2.5, "a": 1.5}`, `{"a": 1.5, "b": 2.5}`, false},
		{"another order of a list", `[2.5, 1.5]`, `[1.5, 2.5]`, false},
		{"one more", `[1.5, 2.5]`, `[1.5]`, false},
		{"one less", `[1.5]`, `[1.5, 2.5]`, false},
		{"a list for an object", `[1.5]`, `{"0": 1.5}`, false},
		{"other spaces", `[1.5,2.5]`, `[1.5, 2.5]`, false},
		{"two values", `[1.5000000000000001] [2]`, `[1.5] [2]`, false},
		{"no JSON", `[1.5000000000000001`, `[1.5`, false},
		{"nothing expected yet", `[1.5]`, ``, false},
	} {
		kept := string(Keep([]byte(test.got), []byte(test.want)))
		if (kept == test.want) != test.same {
			t.Errorf("%s: %s becomes %s, and %s was expected (%t)", test.name, test.got, kept, test.want, test.same)
		}
	}
	// What has changed is written anew, and the rest stays as it was.
	got := `{"a": 0.30000000000000004, "b": 0.7, "c": [0.5000000000000001, 3]}`
	want := `{"a": 0.3, "b": 0.6, "c": [0.5, 2]}`
	if kept := string(Keep([]byte(got), []byte(want))); kept != `{"a": 0.3, "b": 0.7, "c": [0.5, 3]}` {
		t.Errorf("kept %s", kept)
	}
}
