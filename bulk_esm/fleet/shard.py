from bulk_esm.model.shard import Shard as Shard
