// Whether the GAN learns: losses, D's outputs, gradients, skipped updates.
import { dashboard, series, stat } from './panels.ts';
import { ALERT_COUNT, age, at, byRun, increase, of, rate, total } from './queries.ts';

export const trainingHealth = dashboard({
  uid: 'ganglion-training',
  title: 'Ganglion: training health',
  description: 'Whether the GAN learns. D is the discriminator, G the generator.',
  rows: {
    Now: [
      stat({ title: 'Step', description: 'Steps done in the run.', queries: { step: of('ganglion_step') } }),
      stat({
        title: 'Epoch',
        description: 'Epoch of the newest step, from 0.',
        queries: { epoch: of('ganglion_epoch') },
      }),
      stat({
        title: 'Throughput',
        description: 'Real images trained on, a second.',
        queries: { 'images/s': rate('ganglion_images_total') },
      }),
      stat({
        title: 'Age of the newest step',
        description: 'A run without a new step for a minute has stalled.',
        unit: 's',
        warn: 30,
        bad: 60,
        queries: { age: age('ganglion_step_timestamp_seconds') },
      }),
      stat({
        title: 'Skipped updates',
        description: 'Updates whose gradient was not finite or too large, since this process started.',
        warn: 1,
        bad: 10,
        queries: { updates: total('ganglion_skipped_updates_total') },
      }),
      stat({
        title: 'Alerts',
        description: 'Alerts of this coordinator that fire.',
        bad: 1,
        namesRun: false,
        queries: { alerts: ALERT_COUNT },
      }),
    ],
    'Discriminator and generator': [
      series({
        title: 'Loss',
        description: 'Both vary during the whole run. If one falls to 0 and stays there, the other net has lost.',
        queries: { '{{net}}': of('ganglion_loss') },
      }),
      series({
        title: 'Outputs of D',
        description:
          'Probability that an image is real: D(x) of real images, D(G(z)) of fake ones. Healthy between 0.2 and 0.8; both alike at 0 or 1: D has collapsed; 1 and 0: G learns nothing.',
        unit: 'percentunit',
        min: 0,
        max: 1,
        queries: {
          'D(x), real': of('ganglion_discriminator_output', 'images="real"'),
          'D(G(z)), fake': of('ganglion_discriminator_output', 'images="fake"'),
        },
      }),
      series({
        title: 'Margin of D',
        description: 'D(x) less D(G(z)): 0 when D cannot tell real images from fake ones, 1 when it always can.',
        unit: 'percentunit',
        queries: {
          'D(x) - D(G(z))': byRun(
            `(${at('ganglion_discriminator_output', 'images="real"')} - ignoring (images) ${at('ganglion_discriminator_output', 'images="fake"')})`,
          ),
        },
      }),
      series({
        title: 'Gradient norm',
        description: 'L2 norm of the mean gradient. Near 0: nothing is learned; rising without end: training diverges.',
        logarithmic: true,
        queries: { '{{net}}': of('ganglion_gradient_norm') },
      }),
    ],
    Evaluation: [
      series({
        title: 'Fréchet distance',
        description:
          "Between the features of samples and of real images, by Ganglion's own classifier: smaller is better, no generator does better than the floor. Not the FID of papers.",
        logarithmic: true,
        queries: {
          '{{weights}} weights': of('ganglion_frechet_distance'),
          floor: of('ganglion_frechet_distance_floor'),
        },
      }),
      series({
        title: 'Precision and recall',
        description:
          'Precision: share of samples that look real. Recall: share of real images that samples cover; it falls when modes collapse.',
        unit: 'percentunit',
        min: 0,
        max: 1,
        queries: { precision: of('ganglion_precision'), recall: of('ganglion_recall') },
      }),
      series({
        title: 'Shares of the digits',
        description: 'Share of every digit among the samples. One that falls to nothing has been forgotten.',
        unit: 'percentunit',
        min: 0,
        queries: { '{{digit}}': of('ganglion_class_share'), '{{digit}}, real': of('ganglion_real_class_share') },
      }),
      stat({
        title: 'Step of the newest evaluation',
        description: 'An evaluation comes every 60,000 images, or --evaluate-every.',
        queries: { step: of('ganglion_evaluation_step') },
      }),
    ],
    Progress: [
      series({
        title: 'Steps',
        description:
          'Steps done in the run. Flat: training stood still; a fall: it was resumed from an earlier checkpoint.',
        queries: { steps: of('ganglion_step') },
      }),
      series({
        title: 'Skipped updates over time',
        description: 'Updates whose gradient was not finite or too large.',
        min: 0,
        events: true,
        queries: { '{{phase}}': increase('ganglion_skipped_updates_total') },
      }),
    ],
  },
});
