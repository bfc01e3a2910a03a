import { play } from '../test/sim/play.ts';
import { drawScenario } from '../test/sim/scenario.ts';
const from = Number(process.argv[2] ?? 1), to = Number(process.argv[3] ?? from), hours = Number(process.argv[4] ?? 8);
for (let seed = from; seed <= to; seed++) {
  const o = await play(drawScenario(seed, hours), process.argv[5] ? { onLog: (l) => process.stderr.write(l) } : {});
  console.log(seed, o.problems.length ? 'FAIL' : 'ok', Math.round(o.wallMs), 'ms', (o.virtualMs / 3600000).toFixed(1), 'h lives', o.lives, 'rec', o.records, 'arr', o.arrivals, o.fingerprint);
  for (const p of o.problems.slice(0, 5)) console.log('   ', p);
}
