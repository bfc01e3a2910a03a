export type { Config } from './config.ts';
export { configJsonSchema } from './editor-schema.ts';
export { loadConfig } from './load-config.ts';
