import { describe, expect, it } from 'vitest';
import { joinNodes } from '../../../../coordinator/nodes/join-nodes.ts';
import { EndedElsewhere } from '../../../../coordinator/training/exchange.ts';

describe('joinNodes', () => {
  it.each([
    ['by hand', {}],
    ['by mpirun, as the only one', { OMPI_COMM_WORLD_SIZE: '1', OMPI_COMM_WORLD_RANK: '0' }],
    ['by srun, as the only one', { SLURM_STEP_NUM_TASKS: '1' }],
    ['by srun with PMIx, as the only one', { SLURM_STEP_NUM_TASKS: '1', PMIX_RANK: '0' }],
    ['in the script of a job of several tasks', { SLURM_NTASKS: '4' }],
  ])('is alone when started %s', async (_, env) => {
    const nodes = await joinNodes(env);
    expect([nodes.node, nodes.members]).toEqual([0, [0]]);
    await nodes.close();
  });

  it('refuses tasks of Slurm that do not know each other, of which the first says so', async () => {
    const join = (task: string) => joinNodes({ SLURM_STEP_NUM_TASKS: '4', SLURM_PROCID: task });
    const message = 'Slurm has started 4 tasks that do not know each other: expected srun --mpi=pmix, or mpirun';
    for (const task of ['0', '1']) await expect(join(task)).rejects.toMatchObject({ code: 'usage', message });
    await expect(join('0')).rejects.not.toBeInstanceOf(EndedElsewhere);
    await expect(join('3')).rejects.toBeInstanceOf(EndedElsewhere);
  });

  it.each([
    ['GANGLION_LIBMPI', '/nowhere/libmpi.so.40'],
    ['GANGLION_NODE_DEADLINE', '0'],
    ['GANGLION_NODE_DEADLINE', 'soon'],
  ])('refuses %s=%s', async (name, value) => {
    const env = { GANGLION_LIBMPI: process.execPath, OMPI_COMM_WORLD_SIZE: '2', [name]: value };
    await expect(joinNodes(env)).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining(name) });
  });
});
