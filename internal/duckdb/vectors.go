package duckdb

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// vectors runs a statement of one column, which must never be null, and calls each with its values as
// DuckDB holds them: a vector of some thousand at a time, until it returns. To scan a value costs a
// hundred times what it costs to read one so. T must be laid out as the column's type is.
func vectors[T int32 | int64 | hugeint](ctx context.Context, s *Store, text string, each func([]T)) (err error) {
	if err := s.unchanged(); err != nil {
		return err
	}
	defer func() {
		if changed := s.unchanged(); changed != nil {
			err = changed
		}
	}()
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return conn.Raw(func(driver any) error {
		native, err := nativeOf(driver)
		if err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, func() { mapping.Interrupt(native) })
		defer stop()
		var result mapping.Result
		state := mapping.Query(native, text, &result)
		defer mapping.DestroyResult(&result)
		if state == mapping.StateError {
			return stopped(ctx, errors.New(mapping.ResultError(&result)))
		}
		for {
			chunk := mapping.FetchChunk(result)
			if chunk.Ptr == nil {
				return nil
			}
			values := mapping.VectorGetData(mapping.DataChunkGetVector(chunk, 0))
			each(unsafe.Slice((*T)(values), mapping.DataChunkGetSize(chunk)))
			mapping.DestroyDataChunk(&chunk)
		}
	})
}

// nativeOf returns the connection of DuckDB's C interface beneath one of its driver for database/sql,
// which gives values one by one and keeps the connection to itself.
func nativeOf(driver any) (mapping.Connection, error) {
	connection, err := handleOf[mapping.Connection](driver, "conn")
	return mapping.Connection{Ptr: connection}, err
}

// handleOf returns what a value of DuckDB's driver keeps to itself in a field: the handle, of type T, of
// DuckDB's C interface.
func handleOf[T any](of any, field string) (unsafe.Pointer, error) {
	value := reflect.Indirect(reflect.ValueOf(of))
	if value.Kind() == reflect.Struct {
		if own := value.FieldByName(field); own.IsValid() && own.Type() == reflect.TypeFor[T]() {
			return own.FieldByName("Ptr").UnsafePointer(), nil
		}
	}
	return nil, fmt.Errorf("a %T of DuckDB's driver does not have DuckDB's own %s in its field %s", of,
		reflect.TypeFor[T](),
		field)
}

// hugeint is laid out as DuckDB lays out a HUGEINT.
type hugeint struct {
	low  uint64
	high int64
}
