// WhenceEngine
