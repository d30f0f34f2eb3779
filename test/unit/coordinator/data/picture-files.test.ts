import { describe, expect, it } from 'vitest';
import { arrangePictures } from '../../../../coordinator/data/picture-files.ts';
import { diskFile } from '../../../../coordinator/data/source-file.ts';

function arranged(...paths: string[]) {
  const { files, labels, classNames } = arrangePictures(paths.map((path) => diskFile(`/x/${path}`, path)));
  return { paths: files.map(({ path }) => path), labels: [...labels], classNames };
}

describe('arrangePictures', () => {
  it('counts as people do, whatever the class', () => {
    expect(arranged('1/a10.png', '1/a2.png', '3/a1.png', '3/a02.png')).toEqual({
      paths: ['3/a1.png', '1/a2.png', '3/a02.png', '1/a10.png'],
      labels: [3, 1, 3, 1],
      classNames: [],
    });
  });

  it('numbers classes that have names', () => {
    expect(arranged('dog/2.png', 'cat/1.png', 'class 10/4.png', 'class 9/3.png')).toEqual({
      paths: ['cat/1.png', 'dog/2.png', 'class 9/3.png', 'class 10/4.png'],
      labels: [0, 3, 1, 2],
      classNames: ['cat', 'class 9', 'class 10', 'dog'],
    });
  });

  it('takes the training part, below folders that all lie in', () => {
    expect(arranged('set/training/0/1.png', 'set/training/1/2.png', 'set/testing/0/3.png')).toEqual({
      paths: ['set/training/0/1.png', 'set/training/1/2.png'],
      labels: [0, 1],
      classNames: [],
    });
    expect(arranged('train/1.png', 'val/2.png').paths).toEqual(['train/1.png']);
  });

  it('knows no classes where a picture lies beside the folders', () => {
    expect(arranged('cat/1.png', '2.png').labels).toEqual([]);
    expect(arranged('all/1.png', 'all/2.png').labels).toEqual([]);
  });
});
