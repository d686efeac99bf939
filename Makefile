# The short form of dev.py; on Windows: py -3.11 dev.py demo
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do $$p -c "" 2>/dev/null && echo $$p && break; done)
.PHONY: demo test check proof installer clean
demo: ; @$(PYTHON) dev.py demo
test: ; @$(PYTHON) dev.py test
check: ; @$(PYTHON) dev.py check
proof: ; @$(PYTHON) dev.py proof
installer: ; @$(PYTHON) dev.py installer
clean: ; rm -rf build dist demo-run .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
