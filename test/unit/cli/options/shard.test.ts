import { deepEqual, equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { readShard } from '../../../../src/cli/options/shard.ts';

const JOB = { JOB_COMPLETION_INDEX: '2', JOB_COMPLETIONS: '16' };

describe('the share of a process', () => {
  it('is everything where nothing says otherwise', () => {
    equal(readShard(undefined, {}), undefined);
    equal(readShard(undefined, { JOB_COMPLETION_INDEX: '', JOB_COMPLETIONS: '' }), undefined);
  });

  it('is what an Indexed Job says', () => {
    deepEqual(readShard(undefined, JOB), { index: 2, of: 16 });
  });

  it('is what the option says, whatever the Job says', () => {
    deepEqual(readShard('0/3', JOB), { index: 0, of: 3 });
    deepEqual(readShard('0/1', { JOB_COMPLETION_INDEX: '5' }), { index: 0, of: 1 });
  });

  it('is no guess where the Job says half of it', () => {
    throws(() => readShard(undefined, { JOB_COMPLETION_INDEX: '5' }), {
      code: 'USAGE',
      message: /JOB_COMPLETION_INDEX is "5".*set JOB_COMPLETIONS/,
    });
    throws(() => readShard(undefined, { JOB_COMPLETIONS: '5' }), {
      message: /completionMode Indexed/,
    });
  });

  it('is refused where the Job has grown or shrunk past it', () => {
    throws(() => readShard(undefined, { ...JOB, JOB_COMPLETIONS: '2' }), {
      message: /^JOB_COMPLETION_INDEX\/JOB_COMPLETIONS "2\/2": write I\/N/,
    });
  });
});
