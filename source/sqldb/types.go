package sqldb

import (
	"database/sql"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// columnTypes are those whose values are more than texts, by the names that databases have for them.
var columnTypes = map[string]batch.ColumnType{
	"INT2": batch.IntColumn, "INT4": batch.IntColumn, "INT8": batch.IntColumn, "OID": batch.IntColumn,
	"INT": batch.IntColumn, "INTEGER": batch.IntColumn, "TINYINT": batch.IntColumn, "SMALLINT": batch.IntColumn,
	"MEDIUMINT": batch.IntColumn, "BIGINT": batch.IntColumn,
	"FLOAT4": batch.FloatColumn, "FLOAT8": batch.FloatColumn, "FLOAT": batch.FloatColumn, "REAL": batch.FloatColumn,
	"DOUBLE": batch.FloatColumn, "DOUBLE PRECISION": batch.FloatColumn, "NUMERIC": batch.FloatColumn,
	"DECIMAL": batch.FloatColumn,
	"BOOL":    batch.BoolColumn, "BOOLEAN": batch.BoolColumn,
	"TIMESTAMP": batch.TimeColumn, "TIMESTAMPTZ": batch.TimeColumn, "DATETIME": batch.TimeColumn,
	"BYTEA": batch.BytesColumn, "BLOB": batch.BytesColumn, "BINARY": batch.BytesColumn, "VARBINARY": batch.BytesColumn,
	"JSON": batch.JSONColumn, "JSONB": batch.JSONColumn,
	"JSON TEXT": batch.JSONColumn, // as sinks have it in SQLite, where JSON alone would turn numbers into floats
}

// typeName returns the database's name of a type, without its length: VARCHAR for varchar(10).
func typeName(t *sql.ColumnType) string {
	name, _, _ := strings.Cut(t.DatabaseTypeName(), "(")
	return strings.ToUpper(strings.TrimSpace(name))
}

func columnType(t *sql.ColumnType) batch.ColumnType {
	name := typeName(t)
	if name != "" || t.ScanType() == nil {
		return columnTypes[name] // text is the zero value
	}
	// An expression of SQLite has the type of its first value.
	switch scan := t.ScanType(); {
	case scan == reflect.TypeFor[[]byte]():
		return batch.BytesColumn
	case scan.Kind() == reflect.Int64:
		return batch.IntColumn
	case scan.Kind() == reflect.Float64:
		return batch.FloatColumn
	}
	return batch.TextColumn
}

// cell makes of what a driver gives a value of a column. Drivers give int64, float64, bool, []byte, string, time.Time or nil.
func cell(t batch.ColumnType, databaseType string, value any) (any, error) {
	if b, ok := value.([]byte); ok && t != batch.BytesColumn {
		value = string(b)
	}
	switch v := value.(type) {
	case string:
		return textCell(t, v)
	case int64:
		if t == batch.BoolColumn && (v == 0 || v == 1) { // as SQLite keeps them
			return v == 1, nil
		}
	case time.Time:
		if databaseType == "DATE" {
			return v.Format(time.DateOnly), nil
		}
		value = v.UTC() // whatever the zone of this machine
	}
	return batch.Cell(t, value)
}

func textCell(t batch.ColumnType, text string) (any, error) {
	switch t {
	case batch.BytesColumn: // a text in a column of SQLite that is to have bytes
		return []byte(text), nil
	case batch.JSONColumn:
		if !json.Valid([]byte(text)) {
			return nil, errors.New("want JSON, got a text that is none")
		}
		return json.RawMessage(text), nil
	case batch.FloatColumn: // numeric: all its digits
		if number := strings.TrimSpace(text); isNumber(number) {
			return json.Number(number), nil
		}
	}
	return batch.Cell(t, text)
}

func isNumber(text string) bool {
	return text != "" && (text[0] == '-' || text[0] >= '0' && text[0] <= '9') && json.Valid([]byte(text))
}
