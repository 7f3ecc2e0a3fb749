package nb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// decode puts a JSON document into the value that into points to. Unlike encoding/json it is
// strict about what is missing and what is null, as QueryE promises.
func decode(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	return fill(reflect.ValueOf(into).Elem(), tree, "data")
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func fill(v reflect.Value, tree any, path string) error {
	if v.Kind() == reflect.Interface && v.NumMethod() == 0 {
		return remarshal(v, tree, path)
	}
	if tree == nil {
		switch v.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			v.SetZero()
			return nil
		}
		return fmt.Errorf("%s is null in the answer, and %s cannot hold a null; give the field the type *%s", path, v.Type(),
			v.Type())
	}
	if reflect.PointerTo(v.Type()).Implements(unmarshaler) {
		return remarshal(v, tree, path)
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return fill(v.Elem(), tree, path)
	case reflect.Struct:
		object, ok := tree.(map[string]any)
		if !ok {
			return mismatch(v, tree, path)
		}
		return fillStruct(v, object, path)
	case reflect.Slice:
		list, ok := tree.([]any)
		if !ok {
			return mismatch(v, tree, path)
		}
		v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
		for i, item := range list {
			if err := fill(v.Index(i), item, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		return nil
	default:
		return remarshal(v, tree, path)
	}
}

func fillStruct(v reflect.Value, object map[string]any, path string) error {
	taken := map[string]bool{}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			return fmt.Errorf("the field %s of %s should start with a capital letter to take %s.%s", field.Name, v.Type(), path,
				field.Name)
		}
		tag, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if tag == "-" {
			continue
		}
		key, found := findKey(object, tag, field.Name)
		if !found {
			if strings.Contains(options, "omitempty") {
				continue
			}
			return fmt.Errorf("the answer has no %s.%s, which the type of Query asks for; it has %s. Add it to the query, or "+
				"drop it from the type",
				path, lowerFirst(field.Name), strings.Join(sortedKeys(object), ", "))
		}
		taken[key] = true
		if err := fill(v.Field(i), object[key], path+"."+key); err != nil {
			return err
		}
	}
	for _, key := range sortedKeys(object) {
		if !taken[key] {
			return fmt.Errorf("the answer has %s.%s, for which the type of Query has no field; add %s to the type, or drop it "+
				"from the query",
				path, key, strings.ToUpper(key[:1])+key[1:])
		}
	}
	return nil
}

// findKey finds the key of a field: its tag exactly, else its name without regard to case.
func findKey(object map[string]any, tag, name string) (string, bool) {
	if tag != "" {
		_, ok := object[tag]
		return tag, ok
	}
	for _, key := range sortedKeys(object) {
		if strings.EqualFold(key, name) {
			return key, true
		}
	}
	return "", false
}

func remarshal(v reflect.Value, tree any, path string) error {
	text, err := json.Marshal(tree)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := json.Unmarshal(text, v.Addr().Interface()); err != nil {
		return mismatch(v, tree, path)
	}
	return nil
}

func mismatch(v reflect.Value, tree any, path string) error {
	text, _ := json.Marshal(tree)
	if len(text) > 80 {
		text = append(text[:80:80], "…"...)
	}
	return fmt.Errorf("%s is %s in the answer, which does not fit the type %s", path, text, v.Type())
}
