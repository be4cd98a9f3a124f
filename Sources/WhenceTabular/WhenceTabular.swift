// WhenceTabular
