// Decodes the bytes of a model, for tests, tools and readers of metadata.

import { fromBinary } from '@bufbuild/protobuf';
import { cut, FormatError } from '@fkm/core/graph';
import { type ModelProto, ModelProtoSchema } from './generated/onnx_pb.js';

/** The decoded ModelProto. Errors: FormatError if the bytes are not an ONNX model. */
export function readOnnx(bytes: Uint8Array): ModelProto {
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    const reason = cut(cause instanceof Error ? cause.message : String(cause));
    throw new FormatError(
      `readOnnx: these ${bytes.length} bytes are no ONNX model (${reason}); pass the whole file.`,
      { bytes: bytes.length },
      'onnx',
    );
  }
  // Protobuf accepts many other bytes as a message without known fields, and no bytes as an empty one.
  if (model.graph === undefined || model.opsetImport.length === 0) {
    throw new FormatError(
      `readOnnx: these ${bytes.length} bytes hold no graph or no opset; pass the whole file of an ONNX model.`,
      { bytes: bytes.length },
      'onnx',
    );
  }
  return model;
}
