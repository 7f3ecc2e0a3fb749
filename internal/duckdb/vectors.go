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
	conn := reflect.Indirect(reflect.ValueOf(driver)).FieldByName("conn")
	if !conn.IsValid() || conn.Type() != reflect.TypeFor[mapping.Connection]() {
		return mapping.Connection{}, fmt.Errorf("a connection is a %T, in which DuckDB's own is not found", driver)
	}
	return mapping.Connection{Ptr: conn.FieldByName("Ptr").UnsafePointer()}, nil
}

// hugeint is laid out as DuckDB lays out a HUGEINT.
type hugeint struct {
	low  uint64
	high int64
}
