//! The test world is as AWS and Slack are, wherever keyvend could tell the difference.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod world;

use world::World;

#[tokio::test]
async fn a_world_is_set_up_the_same_each_time() {
    let (one, two) = (World::new().await, World::new().await);
    let keys = |world: &World| format!("{:?}", world.net.iam().all_keys());
    assert_eq!(keys(&one), keys(&two));
}
