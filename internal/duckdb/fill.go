package duckdb

import (
	"errors"
	"fmt"
	"unsafe"

	driver "github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// Vectors are the columns of a chunk that a table function is to fill, as DuckDB holds them.
type Vectors struct{ chunk mapping.DataChunk }

// VectorsOf returns those of a chunk of DuckDB's driver, which sets values one by one and keeps the chunk
// of DuckDB's C interface to itself: to set a value costs far more than to copy one.
func VectorsOf(chunk driver.DataChunk) (Vectors, error) {
	own, err := handleOf[mapping.DataChunk](&chunk, "chunk")
	if err != nil {
		return Vectors{}, err
	}
	if own == nil {
		return Vectors{}, errors.New("a chunk that DuckDB has not made has no vectors")
	}
	return Vectors{mapping.DataChunk{Ptr: own}}, nil
}

// Fill sets the first values of column i; those that equal null are null. T is how DuckDB lays out a value
// of the column's type: uint8 a boolean and the place of an enumeration of at most 255 texts, int32 a date
// in days since 1970-01-01, int64 a BIGINT and, without its point, a DECIMAL of 10 to 18 digits. The
// values must be among those of the type.
//
// It is the one place that writes to memory of DuckDB, and writes there only what has been found to fit.
func Fill[T uint8 | int32 | int64, V uint8 | int32](v Vectors, i int, values []V, null V) error {
	if n := mapping.DataChunkGetColumnCount(v.chunk); i < 0 || mapping.IdxT(i) >= n {
		return fmt.Errorf("column %d of a chunk of %d is to be filled", i, n)
	}
	if most := driver.GetDataChunkCapacity(); len(values) > most {
		return fmt.Errorf("%d values are to be put into vectors of %d", len(values), most)
	}
	vector := mapping.DataChunkGetVector(v.chunk, mapping.IdxT(i))
	if width := widthOf(vector); width != unsafe.Sizeof(T(0)) {
		return fmt.Errorf("values of %d bytes are to be put into a vector of %d", unsafe.Sizeof(T(0)), width)
	}
	data := unsafe.Slice((*T)(mapping.VectorGetData(vector)), len(values))
	var valid []uint64 // a bit per value, from the lowest on, which is 0 for null
	for row, value := range values {
		if value != null {
			data[row] = T(value)
			continue
		}
		if valid == nil {
			mapping.VectorEnsureValidityWritable(vector)
			valid = unsafe.Slice((*uint64)(mapping.VectorGetValidity(vector)), (len(values)+63)/64)
		}
		data[row] = 0
		valid[row/64] &^= 1 << (row % 64)
	}
	return nil
}

// widthOf is the bytes of a value in a vector, 0 if it is of a type that Fill does not know.
func widthOf(vector mapping.Vector) uintptr {
	t := mapping.VectorGetColumnType(vector)
	defer mapping.DestroyLogicalType(&t)
	stored := mapping.GetTypeId(t)
	switch stored {
	case mapping.TypeEnum:
		stored = mapping.EnumInternalType(t)
	case mapping.TypeDecimal:
		stored = mapping.DecimalInternalType(t)
	}
	switch stored {
	case mapping.TypeBoolean, mapping.TypeUTinyInt:
		return 1
	case mapping.TypeDate:
		return 4
	case mapping.TypeBigInt:
		return 8
	}
	return 0
}
