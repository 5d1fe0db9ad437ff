// The producer name and version in exported files.

import { version } from '../package.json';

export const producer: { readonly name: string; readonly version: string } = { name: '@fkm/onnx', version };
