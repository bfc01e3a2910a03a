export { findDaemon } from './client.ts';
export type { AdminOperations } from './routes.ts';
export { startAdmin } from './server.ts';
