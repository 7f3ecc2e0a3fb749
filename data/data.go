// Package data embeds the data contract, so that a binary carries the contract it was built with.
package data

import _ "embed"

// Contract is contract.yaml: every table, column, code, dimension, indicator and measure.
//
//go:embed contract.yaml
var Contract []byte
