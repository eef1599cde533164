// A program as people write them in Java: azure-identity and azure-storage-blob, and the resource manager with Java's own client.
//
// Usage: java -cp JAR Signed.java SCRIPT. JAR holds Azure's packages below is.hail.shadedazure. The steps of the
// quickstart in the shape of 2018-05-01, with a container in the share's place.

import is.hail.shadedazure.com.azure.core.credential.TokenRequestContext;
import is.hail.shadedazure.com.azure.identity.EnvironmentCredentialBuilder;
import is.hail.shadedazure.com.azure.storage.blob.BlobContainerClient;
import is.hail.shadedazure.com.azure.storage.blob.BlobServiceClient;
import is.hail.shadedazure.com.azure.storage.blob.BlobServiceClientBuilder;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class Signed {
    static final String SUBSCRIPTION = "https://management.azure.com/subscriptions/" + System.getenv("AZURE_SUBSCRIPTION_ID");
    static final String GROUP = SUBSCRIPTION + "/resourcegroups/learning";
    static final String SPACE = GROUP + "/providers/Microsoft.BatchAI/workspaces/space";
    static final String AI = "2018-05-01";
    static final HttpClient CLIENT = HttpClient.newHttpClient();
    static String token;

    static HttpResponse<String> ask(String method, String url, String version, String body) throws Exception {
        HttpRequest.BodyPublisher content =
                body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body);
        URI uri = URI.create(version == null ? url : url + (url.contains("?") ? "&" : "?") + "api-version=" + version);
        HttpRequest request = HttpRequest.newBuilder(uri)
                .method(method, content)
                .header("Authorization", "Bearer " + token)
                .header("Content-Type", "application/json; charset=utf-8")
                .header("accept-language", "en-US")
                .header("x-ms-client-request-id", "6b1a1f0e-0000-4000-8000-000000000001")
                .build();
        HttpResponse<String> answer = CLIENT.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() >= 400) {
            System.out.println(method + " " + answer.statusCode() + " " + answer.body());
        }
        return answer;
    }

    // What the client runtime does with a long-running operation: its status until it is final, then the resource.
    static String done(HttpResponse<String> begun, String resource, String version) throws Exception {
        String status = begun.headers().firstValue("Azure-AsyncOperation").orElse(null);
        String location = begun.headers().firstValue("Location").orElse(null);
        if (begun.statusCode() == 202 && status != null) {
            while (!found(ask("GET", status, null, null).body(), "status").equals("Succeeded")) {
                Thread.sleep(100);
            }
        } else if (begun.statusCode() == 202 && location != null) {
            while (ask("GET", location, null, null).statusCode() == 202) {
                Thread.sleep(100);
            }
        }
        return resource == null ? "" : ask("GET", resource, version, null).body();
    }

    static String found(String json, String name) {
        Matcher match = Pattern.compile("\"" + name + "\":\"?([^\",}]*)").matcher(json);
        return match.find() ? match.group(1) : "";
    }

    static String put(String url, String version, String body) throws Exception {
        return done(ask("PUT", url, version, body), url, version);
    }

    public static void main(String[] arguments) throws Exception {
        Path script = Path.of(arguments[0]);
        token = new EnvironmentCredentialBuilder().build()
                .getTokenSync(new TokenRequestContext().addScopes("https://management.azure.com/.default"))
                .getToken();
        System.out.println("group " + found(put(GROUP, "2018-05-01", "{\"location\":\"eastus\"}"), "name"));
        String store = GROUP + "/providers/Microsoft.Storage/storageAccounts/baristas";
        String sku = "{\"location\":\"eastus\",\"sku\":{\"name\":\"Standard_LRS\"},\"kind\":\"Storage\",\"properties\":{}}";
        System.out.println("account " + found(put(store, "2018-07-01", sku), "provisioningState"));
        String key = found(ask("POST", store + "/listKeys", "2018-07-01", null).body(), "value");

        BlobServiceClient service = new BlobServiceClientBuilder()
                .connectionString("DefaultEndpointsProtocol=https;AccountName=baristas;AccountKey=" + key
                        + ";EndpointSuffix=core.windows.net")
                .buildClient();
        BlobContainerClient lessons = service.createBlobContainer("lessons");
        lessons.getBlobClient("digits/" + script.getFileName()).uploadFromFile(script.toString());
        lessons.listBlobs().forEach(blob -> System.out.println("blob " + blob.getName()));

        put(SPACE, AI, "{\"location\":\"eastus\"}");
        put(SPACE + "/experiments/tries", AI, "{}");
        String cluster = put(SPACE + "/clusters/nodes", AI, "{\"properties\":{\"vmSize\":\"STANDARD_NC6\","
                + "\"userAccountSettings\":{\"adminUserName\":\"ada\",\"adminUserPassword\":\"Lovelace-1\"},"
                + "\"scaleSettings\":{\"manual\":{\"targetNodeCount\":1}}}}");
        System.out.println("cluster " + found(cluster, "provisioningState"));
        String root = "$AZ_BATCHAI_JOB_MOUNT_ROOT/bfs";
        String job = SPACE + "/experiments/tries/jobs/lesson";
        put(job, AI, "{\"properties\":{\"cluster\":{\"id\":\"" + found(cluster, "id") + "\"},\"nodeCount\":1,"
                + "\"mountVolumes\":{\"azureBlobFileSystems\":[{\"accountName\":\"baristas\",\"containerName\":\"lessons\","
                + "\"credentials\":{\"accountKey\":\"" + key + "\"},\"relativeMountPath\":\"bfs\"}]},"
                + "\"stdOutErrPathPrefix\":\"" + root + "\","
                + "\"inputDirectories\":[{\"id\":\"LESSON\",\"path\":\"" + root + "/digits\"}],"
                + "\"outputDirectories\":[{\"id\":\"MODEL\",\"pathPrefix\":\"" + root + "\",\"pathSuffix\":\"Models\"}],"
                + "\"customToolkitSettings\":{\"commandLine\":\"sh $AZ_BATCHAI_INPUT_LESSON/" + script.getFileName()
                + " $AZ_BATCHAI_OUTPUT_MODEL\"}}}");
        String state = "";
        while (!state.equals("succeeded") && !state.equals("failed")) {
            Thread.sleep(100);
            state = found(ask("GET", job, AI, null).body(), "executionState");
        }
        System.out.println("job " + state);
        String listed = ask("POST", job + "/listOutputFiles?outputdirectoryid=MODEL&directory=.&maxresults=1000", AI, null).body();
        String link = found(listed, "downloadUrl");
        HttpResponse<String> model =
                CLIENT.send(HttpRequest.newBuilder(URI.create(link)).build(), HttpResponse.BodyHandlers.ofString());
        System.out.println("model " + model.body().strip());
        System.out.println("left " + done(ask("DELETE", GROUP, "2018-05-01", null), null, null));
        System.exit(0); // the clients' threads would wait
    }
}
