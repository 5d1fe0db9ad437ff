// Serves the folder of the page; any static web server would do.

import { fileURLToPath } from 'node:url';
import { serve } from '@fkm/browser-testing';

const { origin } = await serve({ '/': fileURLToPath(new URL('../', import.meta.url)) }, 8080);
console.log(`${origin}/?on=wasm\n${origin}/?on=webgpu`);
