// What exported files name as their producer.

import { version } from '../package.json';

export const producer: { readonly name: string; readonly version: string } = { name: '@fkm/onnx', version };
