// Command generate writes what follows from the data contract: the part of the GraphQL schema
// that it defines, the codebook, and, through gqlgen, the Go code of the API.
// `go generate ./...` runs it in the repository's root.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/99designs/gqlgen/api"
	"github.com/99designs/gqlgen/codegen/config"

	"github.com/kvarter/kvarter/internal/contract"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run generates in the folder root, which holds data/contract.yaml and gqlgen.yml.
func run(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	name := filepath.Join("data", "contract.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	c, err := contract.Parse(name, text)
	if err != nil {
		return err
	}
	for file, content := range map[string]string{
		filepath.Join("graph", "schema", "contract.graphqls"): schema(c),
		filepath.Join("data", "README.md"):                    codebook(c),
		filepath.Join("resolvers", "contract.resolvers.go"):   resolvers(c),
	} {
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return err
		}
	}
	cfg, err := config.LoadConfig("gqlgen.yml")
	if err != nil {
		return err
	}
	// The contract's enums are plain strings in Go: the schema has checked them before a
	// resolver sees them, and nothing in Go depends on one code or another.
	for _, enum := range enums(c) {
		cfg.Models.Add(enum.name, "github.com/99designs/gqlgen/graphql.String")
	}
	log.SetOutput(io.Discard) // gqlgen tells which resolvers it adds; its mistakes it returns
	if err := api.Generate(cfg); err != nil {
		return fmt.Errorf("gqlgen: %w", err)
	}
	return nil
}
