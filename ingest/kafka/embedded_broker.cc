#include "ingest/kafka/embedded_broker.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "ingest/kafka/client.h"

namespace varve {
namespace {

// A broker on the same machine has no other members to wait for; the mock's own default is 3 s.
constexpr int32_t kGroupJoinDelayMs = 100;

struct ClusterDeleter {
  void operator()(rd_kafka_mock_cluster_t* cluster) const { rd_kafka_mock_cluster_destroy(cluster); }
};

class MockBroker : public EmbeddedBroker {
 public:
  MockBroker(KafkaOwned<rd_kafka_t> client, rd_kafka_mock_cluster_t* cluster, int brokers)
      : client_(std::move(client)), cluster_(cluster), brokers_(brokers) {}

  std::string bootstrap() const override { return rd_kafka_mock_cluster_bootstraps(cluster_.get()); }

  Result<void> create_topic(const std::string& topic, int partitions) override {
    const auto code = rd_kafka_mock_topic_create(cluster_.get(), topic.c_str(), partitions, 1);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    return invalid_argument(fmt::format("embedded broker: cannot create topic {} with {} partitions: {}",
                                        topic, partitions, kafka_error_text(code)));
  }

  void set_down(bool down) override {
    for (int32_t id = 1; id <= brokers_; ++id) {
      if (down) {
        rd_kafka_mock_broker_set_down(cluster_.get(), id);
      } else {
        rd_kafka_mock_broker_set_up(cluster_.get(), id);
      }
    }
  }

 private:
  KafkaOwned<rd_kafka_t> client_;  // hosts the cluster's thread, so it goes last
  std::unique_ptr<rd_kafka_mock_cluster_t, ClusterDeleter> cluster_;
  int brokers_;
};

}  // namespace

Result<std::unique_ptr<EmbeddedBroker>> EmbeddedBroker::start(int brokers) {
  VARVE_ASSIGN(auto conf, make_kafka_conf({{"client.id", "varve-embedded-broker"}, {"log_level", "3"}}, {}));
  VARVE_ASSIGN(auto client, make_kafka_client(RD_KAFKA_PRODUCER, std::move(conf)));
  rd_kafka_mock_cluster_t* cluster = rd_kafka_mock_cluster_new(client.get(), brokers);
  if (cluster == nullptr) {
    return unavailable(fmt::format("embedded broker: cannot start {} brokers on 127.0.0.1", brokers));
  }
  rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, kGroupJoinDelayMs);
  return std::unique_ptr<EmbeddedBroker>(new MockBroker(std::move(client), cluster, brokers));
}

}  // namespace varve
