export { type Browser, openBrowser, type RunOptions } from './browser.js';
export { type Routes, type Served, serve } from './serve.js';
