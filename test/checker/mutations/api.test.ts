import { runApi } from './api-run.ts';
import { API_MUTATIONS } from './mutations.ts';
import { testMutations } from './mutation-tests.ts';

testMutations({
  control: 'the unbroken API keeps every promise',
  mutations: API_MUTATIONS,
  run: runApi,
});
