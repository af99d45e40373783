import { testMutations } from './mutation-tests.ts';
import { WORKER_MUTATIONS } from './mutations.ts';
import { runWorkers } from './workers-run.ts';

testMutations({
  control: 'unbroken workers keep every promise, frozen and killed',
  mutations: WORKER_MUTATIONS,
  run: runWorkers,
});
