import { WEBHOOK_MUTATIONS } from './mutations.ts';
import { testMutations } from './mutation-tests.ts';
import { runWebhooks } from './webhooks-run.ts';

testMutations({
  control: 'the unbroken webhooks keep every promise',
  mutations: WEBHOOK_MUTATIONS,
  run: runWebhooks,
});
