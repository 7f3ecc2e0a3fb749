package resolvers

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// Texts and numbers are written as gqlgen does.
func TestScalarsAreWrittenAsByGqlgen(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		var s []rune
		for range random.IntN(6) {
			s = append(s, []rune{'a', 'å', '"', '\\', '\n', 0, 0x1f, 0x7f, '<', 0x2028, '𝄞'}[random.IntN(11)])
		}
		var want bytes.Buffer
		graphql.MarshalString(string(s)).MarshalGQL(&want)
		if got := writeString(nil, string(s)); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%q is written %s, want %s", string(s), got, want.Bytes())
		}
		x := []float64{0, math.Copysign(0, -1), 1e20, 1e21, 1e-5, 123456, 1234567, math.MaxFloat64,
			math.SmallestNonzeroFloat64, math.NaN(), math.Inf(1),
			random.Float64(), math.Float64frombits(random.Uint64())}[random.IntN(13)]
		want.Reset()
		err := graphql.MarshalFloatContext(x).MarshalGQLContext(context.Background(), &want)
		got, ok := scalars["Float"].write(nil, reflect.ValueOf(x))
		if ok != (err == nil) || ok && !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%v is written %s (%t), want %s (%v)", x, got, ok, want.Bytes(), err)
		}
	}
}

// A plan is forgotten with its document.
func TestPlansAreForgottenWithTheirDocuments(t *testing.T) {
	var p plans
	doc := &ast.QueryDocument{Operations: ast.OperationList{{SelectionSet: ast.SelectionSet{&ast.Field{Name: "dataset"}}}}}
	first := p.of(doc)
	if p.of(doc) != first {
		t.Error("a document that is held has two plans")
	}
	runtime.KeepAlive(doc)
	left := func() (n int) {
		p.Range(func(any, any) bool { n++; return true })
		return n
	}
	for end := time.Now().Add(time.Minute); left() > 0; runtime.GC() {
		if time.Now().After(end) {
			t.Fatal("the plan of a document that nobody holds is still there")
		}
	}
}
