export * from './errors.js';
export { jsBackend } from './reference/js-backend.js';
