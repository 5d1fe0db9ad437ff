// Trains the page's model and exports it: out/model.onnx is all that the page needs.

import { mkdir, writeFile } from 'node:fs/promises';
import { exportOnnx } from '@fkm/onnx';
import { learnTea } from './tea.js';

const bytes = exportOnnx(await learnTea(), { training: false });
const out = new URL('../out/', import.meta.url);
await mkdir(out, { recursive: true });
await writeFile(new URL('model.onnx', out), bytes);
console.log(`out/model.onnx, ${bytes.length} bytes`);
