// WhenceCore
