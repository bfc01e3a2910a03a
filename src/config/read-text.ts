import { PenstockError } from '../base/errors.ts';
import type { Files } from '../base/seams.ts';

const mostFileBytes = 16_777_216;

/** The text of the configuration file; throws PEN_CONFIG_INVALID when there is none. */
export async function readText(path: string, files: Pick<Files, 'readFile' | 'stat'>): Promise<string> {
  const fail = (what: string, fix: string, cause?: unknown): PenstockError =>
    new PenstockError('PEN_CONFIG_INVALID', what, { where: path, fix, cause });
  try {
    const info = await files.stat(path);
    if (!info.isFile()) throw fail('is not a regular file', 'name the configuration file: -c config/penstock.yaml');
    if (info.size > mostFileBytes)
      throw fail(
        `holds ${info.size} bytes, more than a configuration can`,
        'name the configuration file: -c config/penstock.yaml',
      );
    return new TextDecoder('utf-8', { fatal: true }).decode(await files.readFile(path));
  } catch (error) {
    if (error instanceof PenstockError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw fail('there is no such file', 'name it with -c, or copy config/penstock.example.yaml', error);
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') throw fail('the file is not UTF-8 text', 'save it as UTF-8', error);
    throw fail(`the file cannot be read (${code ?? (error as Error).message})`, 'correct its permissions', error);
  }
}
