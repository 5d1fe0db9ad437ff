// Serves the folder of the page; any web server of static files would do.

import { fileURLToPath } from 'node:url';
import { serve } from '@fkm/browser-testing';

const { origin } = await serve({ '/': fileURLToPath(new URL('../', import.meta.url)) }, 8080);
console.log(`${origin}/?on=wasm\n${origin}/?on=webgpu`);
