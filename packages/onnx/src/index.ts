// `@fkm/onnx`: graphs as ONNX models. No runtime, no Node built-ins.

export type { ModelProto } from './generated/onnx_pb.js';
export { printOnnx } from './print-onnx.js';
export { readOnnx } from './read-onnx.js';
export { irVersions, opsets, type ToOnnxOptions, toOnnx } from './to-onnx.js';
