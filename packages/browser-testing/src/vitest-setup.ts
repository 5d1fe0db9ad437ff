// Before vitest opens its browser: one is there.

import { chromium } from './chromium.js';

export async function setup(): Promise<void> {
  await chromium();
}
