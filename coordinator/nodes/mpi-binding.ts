// Open MPI's library, called from JavaScript through koffi: what training needs of it. To be loaded in the thread that makes all calls.
import { messageOf, systemErrorCode } from '../../shared/error.ts';

/** A communicator, or another object of the library: its address. */
export type Handle = bigint;

/** Functions of the MPI standard; each gives 0, or a number of an error. */
export interface Mpi {
  readonly world: Handle;
  init(): void;
  rank(comm: Handle): number;
  size(comm: Handle): number;
  /** Errors are given back from then on, where they would end the process. */
  returnErrors(comm: Handle): void;
  allReduceSum(from: Float64Array, into: Float64Array, comm: Handle): number;
  broadcast(bytes: Uint8Array, root: number, comm: Handle): number;
  /** @param all one number a member */
  allGather(own: Float64Array, all: Float64Array, comm: Handle): number;
  barrier(comm: Handle): number;
  finalize(): number;
  describe(error: number): string;
  /** User-level failure mitigation: MPI's chapter on processes that die. Undefined where the library, or the job, is without. */
  readonly faults: MpiFaults | undefined;
}

export interface MpiFaults {
  /** Ends every operation of all members. */
  revoke(comm: Handle): number;
  /** @returns the communicator of those that are left, or a number of an error */
  shrink(comm: Handle): { readonly error: number; readonly comm: Handle };
  /** Gives all members the same, also where some have died: whether all of them came with `true` and nobody has died. */
  agree(comm: Handle, isFine: boolean): boolean;
}

/** MPI_THREAD_SERIALIZED: one call at a time. */
const SERIALIZED = 2;
/** Longest text of an error. */
const TEXT_BYTES = 256;

async function importKoffi(): Promise<typeof import('koffi')> {
  return await import('koffi').catch((error: unknown) => {
    const isMissing = systemErrorCode(error) === 'ERR_MODULE_NOT_FOUND';
    throw new Error(isMissing ? 'the optional package koffi is not installed; run npm install' : messageOf(error));
  });
}

/** @param isFaultTolerant whether the job goes on when a process dies @throws Error that says what is missing */
export async function loadMpi(library: string, isFaultTolerant: boolean): Promise<Mpi> {
  const koffi = await importKoffi();
  // Its plug-ins look for its symbols among the global ones.
  const lib = koffi.load(library, { global: true });
  const find = (name: string, ...types: string[]): ((...values: unknown[]) => number) => lib.func(name, 'int', types);
  const address = (name: string): Handle => koffi.address(lib.symbol(name));
  const [double, byte, sum] = [address('ompi_mpi_double'), address('ompi_mpi_byte'), address('ompi_mpi_op_sum')];
  const [pointer, handle] = ['void *', 'uintptr'];
  const initThread = find('MPI_Init_thread', pointer, pointer, 'int', pointer);
  const commRank = find('MPI_Comm_rank', handle, pointer);
  const commSize = find('MPI_Comm_size', handle, pointer);
  const setHandler = find('MPI_Comm_set_errhandler', handle, handle);
  const handler = address('ompi_mpi_errors_return');
  const allReduce = find('MPI_Allreduce', pointer, pointer, 'int', handle, handle, handle);
  const broadcast = find('MPI_Bcast', pointer, 'int', handle, 'int', handle);
  const allGather = find('MPI_Allgather', pointer, 'int', handle, pointer, 'int', handle, handle);
  const errorString = find('MPI_Error_string', 'int', pointer, pointer);
  const checked = (error: number): void => {
    if (error !== 0) throw new Error(`error ${error} of MPI`);
  };
  const ask = (call: (comm: Handle, into: Int32Array) => number, comm: Handle): number => {
    const into = new Int32Array(1);
    checked(call(comm, into));
    return into[0] as number;
  };

  function findFaults(): MpiFaults {
    const shrink = find('MPIX_Comm_shrink', handle, pointer);
    const agree = find('MPIX_Comm_agree', handle, pointer);
    return {
      revoke: find('MPIX_Comm_revoke', handle),
      shrink(comm) {
        const into = new BigInt64Array(1);
        const error = shrink(comm, into);
        return { error, comm: into[0] as Handle };
      },
      agree(comm, isFine) {
        const flags = Int32Array.of(isFine ? 1 : 0);
        return agree(comm, flags) === 0 && flags[0] === 1;
      },
    };
  }

  return {
    world: address('ompi_mpi_comm_world'),
    init: () => checked(initThread(null, null, SERIALIZED, new Int32Array(1))),
    rank: (comm) => ask(commRank, comm),
    size: (comm) => ask(commSize, comm),
    returnErrors: (comm) => checked(setHandler(comm, handler)),
    allReduceSum: (from, into, comm) => allReduce(from, into, from.length, double, sum, comm),
    broadcast: (bytes, root, comm) => broadcast(bytes, bytes.length, byte, root, comm),
    allGather: (own, all, comm) => allGather(own, own.length, double, all, own.length, double, comm),
    barrier: find('MPI_Barrier', handle),
    finalize: find('MPI_Finalize'),
    describe(error) {
      const text = Buffer.alloc(TEXT_BYTES * 2);
      const length = new Int32Array(1);
      return errorString(error, text, length) === 0 ? text.toString('latin1', 0, length[0]) : `error ${error}`;
    },
    faults: isFaultTolerant ? findFaults() : undefined,
  };
}

/** Ends this process at once: a thread that waits in the library for another node would hold up every other end. */
export async function loadExit(): Promise<(code: number) => void> {
  const koffi = await importKoffi();
  return koffi.load(process.platform === 'darwin' ? 'libSystem.B.dylib' : 'libc.so.6').func('void _exit(int)');
}
