"""Public checkpoints: any diffusers pipeline on the disk, run one step at a time. Nothing here touches the network.

`folder` and `single_file` look at what lies on the disk and read no weights; `loading.load_external` opens it;
`model.ExternalModel.sample` draws (`asked` says what goes in and comes out). `conversion` turns pickles into
safetensors.
"""
