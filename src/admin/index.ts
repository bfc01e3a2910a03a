export { findDaemon } from './client.ts';
export type { Action, AdminOperations } from './routes.ts';
export { startAdmin } from './server.ts';
