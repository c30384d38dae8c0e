module github.com/mcpfunc/mcpfunc

go 1.26
