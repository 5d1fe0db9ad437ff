// Makes sure that a browser is installed before vitest opens it.

import { chromium } from './chromium.js';

export async function setup(): Promise<void> {
  await chromium();
}
