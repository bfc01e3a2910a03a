import type { YamlPath } from '../base/yaml-faults.ts';
import type { TlsOptions } from '../sinks/common-options.ts';
import type { LoadContext } from './load-context.ts';

/** What the schema of `tls:` cannot say; `at` is the block that holds it. */
export function checkTls(tls: TlsOptions | undefined, at: YamlPath, { doc, faults, warnings }: LoadContext): void {
  if (tls === undefined) return;
  const place = [...at, 'tls'];
  if (tls.insecure_skip_verify === true) {
    warnings.push(
      doc.fault([...place, 'insecure_skip_verify'], 'certificates are not checked', 'remove it; set ca_file or pin_sha256'),
    );
  }
  if ((tls.cert_file === undefined) === (tls.key_file === undefined)) return;
  const [has, lacks] = tls.cert_file === undefined ? ['key_file', 'cert_file'] : ['cert_file', 'key_file'];
  faults.push(doc.fault([...place, has ?? ''], `${has} without ${lacks}`, `add ${lacks}`));
}
