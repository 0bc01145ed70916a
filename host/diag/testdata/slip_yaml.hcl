step:
  - name: train
