/** `registry-sync report`: what crawl, sync, verify and prune did, as text and as a page. */
import { defineCommand } from '../command.ts';
import { REPORT_OPTIONS } from './report-options.ts';

export const reportCommand = defineCommand({
  name: 'report',
  summary:
    'Tell what crawl, sync, verify and prune did, as text and as a page; join the results of shards',
  options: REPORT_OPTIONS,
  examples: [
    ['$0 report --workdir /data', 'as text'],
    ['$0 report --workdir /data/2026-11-21 --previous /data --out report.html', 'and as a page'],
    ['$0 report --merge shard-0 --merge shard-1 --workdir all', 'the results of two shards'],
  ],
  epilogue:
    'Nothing is asked of a registry. Exit codes: 0 a report was made, whatever it tells; 1 tags.csv or an option is wrong; 3 what was merged is not whole, or of different runs.',
  load: async () => (await import('./run-report.ts')).runReport,
});
