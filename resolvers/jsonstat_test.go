package resolvers_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
)

// The rules of JSON-stat 2.0 (https://json-stat.org/full/) hold whatever a cube is split by, and each
// cell of the breakdown stands where row-major order puts it.
func TestJSONStatRules(t *testing.T) {
	c := duckdbtest.Contract(t)
	server := serve(t, c, duckdbtest.Open(t, c, duckdbtest.World))
	fields := map[string]string{"area": "area { id }", "municipality": "municipality { code }"}
	random := rand.New(rand.NewPCG(8, 16))
	dimensions := []string{"YEAR", "AGE", "AGE_GROUP", "SEX", "ORIGIN", "SETTING", "AREA", "MUNICIPALITY", "REGION",
		"PARENTS_STATUS", "MOTHER_STATUS", "DAY_CARE_TYPE"}
	cubes := 0
	for range 40 {
		var by, keys []string
		for _, i := range random.Perm(len(dimensions))[:1+random.IntN(3)] {
			d, err := c.Dimension(dimensions[i])
			if err != nil {
				t.Fatal(err)
			}
			by = append(by, d.Name)
			if f, ok := fields[d.Field]; ok {
				keys = append(keys, d.Field+": "+f)
			} else {
				keys = append(keys, d.Field)
			}
		}
		list := strings.Join(by, ", ")
		answer := ask(t, server,
			fmt.Sprintf(`{ children { jsonStat(of: IN_DAY_CARE, by: [%s])
				breakdown(of: IN_DAY_CARE, by: [%s]) { nodes { key { %s }
				estimate { value lower upper numerator denominator unknown status } } } } }`,
				list, list, strings.Join(keys, " ")), nil)
		var got struct {
			Errors []problem
			Data   struct {
				Children struct {
					JSONStat struct {
						Version, Class, Label, Source string
						Updated                       *string
						ID                            []string
						Size                          []int
						Role                          map[string][]string
						Dimension                     map[string]struct {
							Label    string
							Category struct {
								Index []string
								Label map[string]string
							}
						}
						Value     []*float64
						Status    []string
						Extension struct {
							Lower, Upper                    []*float64
							Numerator, Denominator, Unknown []*int
							Warnings                        [][]string
							Status                          map[string]string
						}
					}
					Breakdown struct {
						Nodes []struct {
							Key      map[string]any
							Estimate struct {
								Value, Lower, Upper             *float64
								Numerator, Denominator, Unknown *int
								Status                          string
							}
						}
					}
				}
			}
		}
		if err := json.Unmarshal(answer, &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Errors) > 0 {
			if !strings.Contains(got.Errors[0].Message, "more than 500 cells") {
				t.Errorf("%s: %v", list, got.Errors)
			}
			continue
		}
		cubes++
		cube := got.Data.Children.JSONStat
		if cube.Version != "2.0" || cube.Class != "dataset" || cube.Label == "" || cube.Source == "" || cube.Updated != nil {
			t.Errorf("%s: version %q, class %q, label %q, source %q", list, cube.Version, cube.Class, cube.Label, cube.Source)
		}
		if !slices.Equal(cube.ID, by) || len(cube.Size) != len(by) || len(cube.Dimension) != len(by) {
			t.Fatalf("%s: id %v, size %v", list, cube.ID, cube.Size)
		}
		product := 1
		for i, id := range cube.ID {
			category := cube.Dimension[id].Category
			product *= cube.Size[i]
			if cube.Dimension[id].Label == "" || len(category.Index) != cube.Size[i] || len(category.Label) != cube.Size[i] {
				t.Errorf("%s: %s has size %d and categories %v", list, id, cube.Size[i], category)
			}
			for _, code := range category.Index {
				if category.Label[code] == "" {
					t.Errorf("%s: %s has no label for %q", list, id, code)
				}
			}
		}
		for role, ids := range cube.Role {
			for _, id := range ids {
				if role != map[string]string{"YEAR": "time", "AREA": "geo", "MUNICIPALITY": "geo", "REGION": "geo"}[id] ||
					!slices.Contains(by, id) {
					t.Errorf("%s: %s has the role %s", list, id, role)
				}
			}
		}
		for _, n := range []int{len(cube.Value), len(cube.Status), len(cube.Extension.Lower), len(cube.Extension.Upper),
			len(cube.Extension.Numerator), len(cube.Extension.Denominator), len(cube.Extension.Unknown),
			len(cube.Extension.Warnings)} {
			if n != product {
				t.Fatalf("%s: a list of %d for %d cells", list, n, product)
			}
		}
		for _, s := range cube.Status {
			if cube.Extension.Status[s] == "" {
				t.Errorf("%s: the status %q is not explained", list, s)
			}
		}
		// Strides from the definition: the last dimension has 1, each before it the product of those after.
		filled := map[int]bool{}
		for _, node := range got.Data.Children.Breakdown.Nodes {
			at := 0
			for i, id := range by {
				stride := 1
				for _, size := range cube.Size[i+1:] {
					stride *= size
				}
				at += stride * slices.Index(cube.Dimension[id].Category.Index, codeOf(node.Key[strings.SplitN(keys[i], ":", 2)[0]]))
			}
			filled[at] = true
			e := node.Estimate
			want := fmt.Sprint(text(e.Value), text(e.Lower), text(e.Upper), whole(e.Numerator), whole(e.Denominator),
				whole(e.Unknown), e.Status)
			x := cube.Extension
			if have := fmt.Sprint(text(cube.Value[at]), text(x.Lower[at]), text(x.Upper[at]), whole(x.Numerator[at]),
				whole(x.Denominator[at]), whole(x.Unknown[at]), cube.Status[at]); have != want {
				t.Errorf("%s: at %d stands %s, the breakdown has %s for %v", list, at, have, want, node.Key)
			}
		}
		for i := range cube.Value {
			if !filled[i] && (cube.Value[i] != nil || cube.Status[i] != "NO_OBSERVATIONS" ||
				cube.Extension.Denominator[i] != nil) {
				t.Errorf("%s: no cell is at %d, where %v stands", list, i, text(cube.Value[i]))
			}
		}
	}
	if cubes < 20 {
		t.Errorf("%d cubes were tried", cubes)
	}
}

// codeOf is the category that a value of CellKey is.
func codeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "_NONE"
	case float64:
		return strconv.Itoa(int(v))
	case map[string]any:
		for _, x := range v {
			return x.(string)
		}
	}
	return fmt.Sprint(v)
}

func text(x *float64) string {
	if x == nil {
		return "null"
	}
	return strconv.FormatFloat(*x, 'g', -1, 64)
}

func whole(n *int) string {
	if n == nil {
		return "null"
	}
	return strconv.Itoa(*n)
}
