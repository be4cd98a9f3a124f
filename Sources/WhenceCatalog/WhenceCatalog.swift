// WhenceCatalog
